import x from "./nowhere.mjs";
export default x;
