// Package ecosystem reads what users write to say which apps to run — ecosystem files as pm2 knows them,
// in JavaScript, TypeScript, JSON, JSON5, YAML, TOML, a package.json or a Procfile — into []app.Spec.
//
// Every format becomes the same tree of nodes that know where they stand in the file; one table of
// fields says what may be written and what it means. A file is understood whole or refused
// with one sentence that names file, line and column.
package ecosystem
