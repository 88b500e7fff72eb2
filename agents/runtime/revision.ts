// Which build this is. The bundler puts the values in; straight from source they say so.
declare const __VIWORKS_VERSION__: string | undefined;
declare const __VIWORKS_REVISION__: string | undefined;

/** Version of package.json and the git revision it was built from (`+` after it when the tree had changes). */
export const BUILD: { readonly version: string; readonly revision: string } = {
  version: typeof __VIWORKS_VERSION__ === 'string' ? __VIWORKS_VERSION__ : '0.0.0-source',
  revision: typeof __VIWORKS_REVISION__ === 'string' ? __VIWORKS_REVISION__ : 'source',
};
