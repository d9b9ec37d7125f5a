/**
 * The files of test262 that do something else compiled than natively, with the reason for each. docs/compiler.md says the
 * same to who uses the compiler. At most one file in a hundred may stand here.
 */

export interface Difference {
  readonly reason: string
  /** Paths below the suite's folder `test`. */
  readonly files: ReadonlyArray<string>
}

export const differences: ReadonlyArray<Difference> = [
  {
    reason: "Direct `eval` cannot be compiled: what its names refer to is known only when it runs.",
    files: [
      "language/expressions/generators/eval-var-scope-syntax-err.js",
      "language/expressions/generators/named-no-strict-reassign-fn-name-in-body-in-eval.js",
      "language/expressions/generators/named-strict-error-reassign-fn-name-in-body-in-eval.js",
      "language/expressions/generators/scope-body-lex-distinct.js",
      "language/expressions/generators/scope-param-elem-var-close.js",
      "language/expressions/generators/scope-param-elem-var-open.js",
      "language/expressions/generators/scope-param-rest-elem-var-close.js",
      "language/expressions/generators/scope-param-rest-elem-var-open.js",
      "language/expressions/object/method-definition/gen-meth-eval-var-scope-syntax-err.js",
      "language/expressions/object/scope-gen-meth-body-lex-distinct.js",
      "language/expressions/object/scope-gen-meth-param-elem-var-close.js",
      "language/expressions/object/scope-gen-meth-param-elem-var-open.js",
      "language/expressions/object/scope-gen-meth-param-rest-elem-var-close.js",
      "language/expressions/object/scope-gen-meth-param-rest-elem-var-open.js",
      "language/statements/generators/eval-var-scope-syntax-err.js",
      "language/statements/generators/scope-body-lex-distinct.js",
      "language/statements/generators/scope-param-elem-var-close.js",
      "language/statements/generators/scope-param-elem-var-open.js",
      "language/statements/generators/scope-param-rest-elem-var-close.js",
      "language/statements/generators/scope-param-rest-elem-var-open.js",
      "staging/sm/class/newTargetGenerators.js"
    ]
  },
  {
    reason: "`with` cannot be compiled: what its names refer to is known only when it runs.",
    files: [
      "language/expressions/yield/from-with.js",
      "staging/sm/generators/iteration.js"
    ]
  },
  {
    reason:
      "A frame's `next`, `return` and `throw` are its function's: the language's own know nothing of frames. So they are own properties of the function's `prototype`, and without that object frames have the one that the function had at first.",
    files: [
      "language/expressions/generators/default-proto.js",
      "language/expressions/generators/prototype-own-properties.js",
      "language/statements/generators/default-proto.js",
      "language/statements/generators/prototype-own-properties.js",
      "staging/sm/generators/delegating-yield-2.js",
      "staging/sm/generators/delegating-yield-3.js"
    ]
  },
  {
    reason:
      "The function that makes frames is a plain one: where it is declared it is there before its module runs, and an expression is made as fast as any function. `new` of it is the error that it was, but a class can extend it, and `Reflect.construct` takes it for a constructor.",
    files: [
      "harness/isConstructor.js",
      "language/statements/class/subclass/superclass-generator-function.js"
    ]
  },
  {
    reason: "The text of a compiled function is that of the function that makes frames.",
    files: [
      "built-ins/Function/prototype/toString/generator-function-declaration.js",
      "built-ins/Function/prototype/toString/generator-function-expression.js",
      "built-ins/Function/prototype/toString/generator-method.js",
      "staging/sm/generators/runtime.js"
    ]
  },
  {
    reason:
      "An arrow function in the constructor of a derived class has its `this` when `super()` has returned. One that was made before is called too early by an initializer of a field.",
    files: [
      "language/expressions/class/constructor-this-tdz-during-initializers.js"
    ]
  },
  {
    reason: "A frame is an object with fields, which can be seen.",
    files: [
      "staging/sm/generators/objects.js"
    ]
  }
]
