const env = process.env;

throw new Error("no settings for this host");
