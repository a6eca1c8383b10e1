// Checks each document of a YAML file against the schema of its kind:
//
//   node validate.mjs FILE
//
// It runs where npm has put kubernetes-models and yaml.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {parseAllDocuments} from "yaml";

const load = createRequire(import.meta.url);
let wrong = 0;

for (const document of parseAllDocuments(readFileSync(process.argv[2], "utf8"))) {
  const object = document.toJS();
  const name = `${object.kind} ${object.metadata?.name}`;
  try {
    if (document.errors.length) throw document.errors[0];
    const module = load(`kubernetes-models/${object.apiVersion}/${object.kind}`);
    new module[object.kind](object).validate();
    console.log(`${name}: valid`);
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    wrong++;
  }
}
process.exit(wrong ? 1 : 0);
