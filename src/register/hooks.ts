/** The hook that Node before 24 runs on a thread of its own. It sees modules, and not what is required. */
import { type Loaded, loadTypeScript, transformed, typeScriptPath } from "./load.ts"

export const load = async (
  url: string,
  context: object,
  nextLoad: (url: string, context: object) => Promise<Loaded>
): Promise<Loaded> => {
  const path = typeScriptPath(url)
  if (path !== undefined) return withoutCommonJs(loadTypeScript(path))
  const loaded = await nextLoad(url, context)
  return loaded.format === "commonjs" && loaded.source == null ? loaded : transformed(url, loaded)
}

/** CommonJS without a source is loaded as if it was required: commonjs.ts compiles it. */
const withoutCommonJs = (loaded: Loaded): Loaded => loaded.format === "commonjs" ? { ...loaded, source: null } : loaded
