// What the analyzer finds in the sources, as it is packed: one module, and of the class what others may use.
export default {
  // It would write where it put it into package.json.
  packagejson: false,
  globs: ['src/element.ts', 'src/index.ts'],
  plugins: [
    {
      name: 'packed',
      packageLinkPhase({ customElementsManifest: manifest }) {
        const [declarations, exports] = ['declarations', 'exports'].map((part) => manifest.modules.flatMap((module) => module[part] ?? []))
        const element = declarations.find(({ customElement }) => customElement)
        element.members = element.members.filter(({ privacy }) => privacy !== 'private')
        // Types are not exported by the module, but by its declarations.
        const own = exports.filter(({ kind, declaration }, at) => declaration.name === element.name && exports.findIndex((other) => other.kind === kind) === at)
        for (const { declaration } of own) declaration.module = 'index.js'
        manifest.modules = [{ kind: 'javascript-module', path: 'index.js', declarations: [element], exports: own }]
      },
    },
  ],
}
