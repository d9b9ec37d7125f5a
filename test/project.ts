/** A project of somebody who has installed the package, in a folder of its own. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"

export class Project {
  /** Below this repository, so that `effect` is found. */
  readonly folder: string

  constructor(files: Readonly<Record<string, string>>) {
    mkdirSync(".build", { recursive: true })
    this.folder = resolve(mkdtempSync(join(".build", "project-")))
    this.write({ "package.json": `{ "name": "project", "type": "module" }`, ...files })
    mkdirSync(join(this.folder, "node_modules"), { recursive: true })
    symlinkSync(resolve("."), join(this.folder, "node_modules/effect-stackless"))
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(this.path(name)), { recursive: true })
      writeFileSync(this.path(name), text)
    }
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Runs Node in the project. */
  node(...args: Array<string>): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    const { FORCE_COLOR: _, NODE_OPTIONS: __, ...env } = process.env
    return spawnSync(process.execPath, args, {
      cwd: this.folder,
      encoding: "utf8",
      env: { ...env, NO_COLOR: "1" },
      timeout: 60_000
    })
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Makes `dist` what the sources say: such a project uses the package as it is published. */
export const buildPackage = (): void => {
  const tsc = "node_modules/typescript/bin/tsc"
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-b", "tsconfig.build.json"], { encoding: "utf8" })
  if (status !== 0) throw new Error(stdout)
}
