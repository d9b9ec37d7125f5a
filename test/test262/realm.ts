/** A realm of its own for each run, with what test262 asks of a host: `print` and `$262`. */
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as vm from "node:vm"

/** What the code of a file goes through before it is evaluated, if anything. */
export type Transform = (code: string, file: string, format: "module" | "commonjs") => string

/** Gives the runtime that compiled code calls, made anew in the realm in which it is evaluated. */
export type Runtime = vm.Script

/** The specifier by which compiled code asks for its runtime. */
const runtimeSpecifier = "effect-stackless/frames"

/** Node has no modules in realms, unless it is started with `--experimental-vm-modules`. */
export const hasModules = (): boolean => "SourceTextModule" in vm

export class Realm {
  readonly global: Record<string, unknown>
  /** Told what the file prints. */
  onPrint: (text: string) => void = () => {}
  private readonly context: vm.Context
  private readonly modules = new Map<string, vm.Module>()
  private readonly transform: Transform
  private readonly runtime: Readonly<Record<string, unknown>> | undefined

  /** @param runtime left out: nothing here is compiled */
  constructor(transform: Transform, runtime?: Runtime) {
    this.transform = transform
    // An ordinary global object where Node has it (from 22.8), and not one that asks a sandbox for its properties.
    const { DONT_CONTEXTIFY } = vm.constants as { readonly DONT_CONTEXTIFY?: any }
    this.context = vm.createContext(DONT_CONTEXTIFY ?? {})
    this.global = vm.runInContext("globalThis", this.context)
    this.define("print", (text: unknown) => this.onPrint(String(text)))
    this.define("$262", this.host())
    if (runtime !== undefined) {
      this.runtime = runtime.runInContext(this.context)
      // A name that scripts see, but no property of the global object.
      vm.runInContext("let require; (runtime) => { require = () => runtime }", this.context)(this.runtime)
    }
  }

  private define(name: string, value: unknown): void {
    Object.defineProperty(this.global, name, { value, writable: true, configurable: true, enumerable: false })
  }

  private host(): object {
    const host: object = vm.runInContext("({})", this.context)
    return Object.assign(host, {
      global: this.global,
      createRealm: () => new Realm((code) => code).global["$262"],
      evalScript: (code: string) => {
        let script: vm.Script
        try {
          script = new vm.Script(code)
        } catch (error) {
          throw new (this.global["SyntaxError"] as ErrorConstructor)((error as Error).message)
        }
        return script.runInContext(this.context)
      },
      detachArrayBuffer: (buffer: ArrayBuffer) => {
        structuredClone(buffer, { transfer: [buffer] })
        return null
      },
      gc: () => (globalThis as { gc?: () => void }).gc!()
    })
  }

  /** Evaluates a file of the suite's harness, which is never transformed. */
  evaluateHarness(script: vm.Script): void {
    script.runInContext(this.context)
  }

  /** Parses a script; evaluates it when it is called. */
  script(code: string, file: string): () => unknown {
    const script = new vm.Script(this.transform(code, file, "commonjs"), {
      filename: file,
      importModuleDynamically: (specifier) => this.imported(specifier, file)
    })
    return () => script.runInContext(this.context)
  }

  /** Parses a module; loads what it imports, and evaluates it, when these are called. */
  module(code: string, file: string): { readonly link: () => Promise<void>; readonly evaluate: () => Promise<void> } {
    const module = this.parsed(code, file)
    return {
      link: () => module.link((specifier, { identifier }) => this.found(specifier, identifier)),
      evaluate: () => module.evaluate()
    }
  }

  private parsed(code: string, file: string): vm.Module {
    const module = new vm.SourceTextModule(this.transform(code, file, "module"), {
      identifier: file,
      context: this.context,
      importModuleDynamically: (specifier) => this.imported(specifier, file)
    })
    this.modules.set(file, module)
    return module
  }

  /** The module that a file imports, not yet linked. */
  private found(specifier: string, importer: string): vm.Module {
    const path = specifier === runtimeSpecifier ? specifier : resolve(dirname(importer), specifier)
    const known = this.modules.get(path)
    if (known !== undefined) return known
    if (specifier !== runtimeSpecifier || this.runtime === undefined) {
      return this.parsed(readFileSync(path, "utf8"), path)
    }
    const { runtime } = this
    const names = Object.keys(runtime)
    const module = new vm.SyntheticModule(names, function(this: vm.SyntheticModule) {
      for (const name of names) this.setExport(name, runtime[name])
    }, { context: this.context })
    this.modules.set(path, module)
    return module
  }

  private async imported(specifier: string, importer: string): Promise<vm.Module> {
    const module = this.found(specifier, importer)
    if (module.status === "unlinked") {
      await module.link((specifier, { identifier }) => this.found(specifier, identifier))
    }
    if (module.status === "linked") await module.evaluate()
    return module
  }
}
