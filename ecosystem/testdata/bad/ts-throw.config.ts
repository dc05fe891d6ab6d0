interface A { a: string }
const a: A = { a: "x" };
if (a.a) throw new Error("typed");
export default [a];
