const all = [];
for (;;) all.push({ at: all.length, list: [1, 2, 3] });
