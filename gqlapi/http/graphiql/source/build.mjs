// Bundle GraphiQL into the folder given as argument, under hashed names; manifest.json names the entry points.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const outdir = process.argv[2];
const common = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  outdir,
  metafile: true,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: { '.ttf': 'file' },
  legalComments: 'none',
  logLevel: 'error',
};

const workers = await build({
  ...common,
  entryPoints: {
    editor: 'monaco-editor/esm/vs/editor/editor.worker.js',
    graphql: 'monaco-graphql/esm/graphql.worker.js',
    json: 'monaco-editor/esm/vs/language/json/json.worker.js',
  },
});
const names = Object.keys(workers.metafile.outputs).map((path) => basename(path));
const byLabel = Object.fromEntries(names.map((name) => [name.split('-')[0], `./${name}`]));

const page = await build({
  ...common,
  entryPoints: { graphiql: 'main.jsx' },
  splitting: true,
  jsx: 'automatic',
  define: { WORKERS: JSON.stringify(byLabel), 'process.env.NODE_ENV': '"production"' },
});
const isPage = ([, output]) => output.entryPoint === 'main.jsx';
const [script, { cssBundle }] = Object.entries(page.metafile.outputs).find(isPage);
// Every part that loads later gets its own style sheet, which nothing loads: the page's holds them all.
const unused = Object.keys(page.metafile.outputs).filter((path) => path.endsWith('.css') && path !== cssBundle);
unused.forEach((path) => rmSync(path));

// What is bundled is distributed, so its licences go with it.
const inputs = [...Object.keys(workers.metafile.inputs), ...Object.keys(page.metafile.inputs)];
const folders = new Set(inputs.map((path) => path.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]).filter(existsSync));
const licences = [...folders].sort().flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => /^licen[cs]e/i.test(file))
    .map((file) => `${folder.replace(/^.*node_modules\//, '')}\n\n${readFileSync(join(folder, file), 'utf8')}`),
);
writeFileSync(join(outdir, 'LICENSES.txt'), licences.join('\n----\n\n'));
writeFileSync(join(outdir, 'manifest.json'), JSON.stringify({ script: basename(script), style: basename(cssBundle) }));
