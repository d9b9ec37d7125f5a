/** Where a `yield*` is missing: an operation or a generator that is made, and then nothing is done with it that runs it. */
import type { Node, SourceFile, Type, Typing } from "./typescript.ts"

/** A place where something is forgotten. */
export interface Forgotten {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
  /** The line of the source. */
  readonly source: string
}

/** What Effect marks its Effects with, and operations are Effects. */
const EFFECT = "~effect/Effect"

type Kind = "operation" | "generator"

export const forgottenIn = (file: SourceFile, typing: Typing): ReadonlyArray<Forgotten> => {
  const { kinds } = typing
  const found: Array<Forgotten> = []
  const lines = file.text.split("\n")

  const tell = (node: Node, message: string): void => {
    const before = file.text.slice(0, node.getStart(file)).split("\n")
    const line = before.length
    found.push({
      file: file.fileName,
      line,
      column: before.at(-1)!.length + 1,
      message,
      source: lines[line - 1]!.trim()
    })
  }

  const kindOfMember = (type: Type): Kind | undefined => {
    if (typing.has(type, EFFECT)) return "operation"
    const name = typing.nameOf(type)
    return name === "Generator" || name === "AsyncGenerator" ? "generator" : undefined
  }
  /** What a type is in each case, but for the cases that it is nothing. */
  const kindOfType = (type: Type | undefined): Kind | undefined => {
    if (type === undefined) return undefined
    const members = typing.membersOf(type).filter((member) => !typing.isNothing(member))
    const [first, ...others] = members.map(kindOfMember)
    return others.every((kind) => kind !== undefined) ? first : undefined
  }
  const kindOf = (node: Node): Kind | undefined => kindOfType(typing.typeOf(node))
  /** The same, unless it can be nothing, too: that is looked at in a condition. */
  const always = (node: Node): Kind | undefined => {
    const type = typing.typeOf(node)
    return type === undefined || typing.membersOf(type).some((member) => typing.isNothing(member))
      ? undefined
      : kindOfType(type)
  }

  const is = (node: Node | undefined, ...names: ReadonlyArray<string>): boolean =>
    node !== undefined && names.some((name) => node.kind === kinds[name])
  const bare = (node: Node): Node =>
    is(node, "ParenthesizedExpression", "AsExpression", "NonNullExpression", "SatisfiesExpression")
      ? bare(node.expression!)
      : node
  const isCall = (node: Node): boolean => is(node, "CallExpression", "NewExpression", "TaggedTemplateExpression")

  /** In a generator function a `yield*` can be written; elsewhere it has to be run otherwise. */
  const remedy = (node: Node, kind: Kind): string => {
    let around: Node | undefined = node.parent
    while (
      around !== undefined &&
      !is(around, "FunctionDeclaration", "FunctionExpression", "ArrowFunction", "MethodDeclaration", "Constructor")
    ) around = around.parent
    if (around?.asteriskToken !== undefined) return "write yield* in front of it"
    return kind === "operation"
      ? "write yield* in front of it in a generator function, or run it with Effect.runPromise"
      : "write yield* in front of it in a generator function"
  }

  const dropped = (node: Node, kind: Kind): void =>
    tell(
      node,
      kind === "operation"
        ? `the operation is dropped, and does not happen: ${remedy(node, kind)}`
        : `the generator is dropped, and its function does not run: ${remedy(node, kind)}`
    )

  /** An expression whose value nobody looks at. */
  const statement = (expression: Node): void => {
    const node = bare(expression)
    if (is(node, "ConditionalExpression")) {
      statement(node.whenTrue!)
      statement(node.whenFalse!)
    } else if (is(node, "BinaryExpression")) {
      if (is(node.operatorToken, "CommaToken")) statement(node.left!)
      if (
        is(node.operatorToken, "CommaToken", "AmpersandAmpersandToken", "BarBarToken", "QuestionQuestionToken")
      ) statement(node.right!)
    } else if (isCall(node) || is(node, "Identifier", "PropertyAccessExpression", "ElementAccessExpression")) {
      const callee = node.expression
      // who takes an element out of an array may not want it
      if (is(callee, "PropertyAccessExpression") && takers.has(callee!.name!.getText(file))) return
      const kind = kindOf(node)
      if (kind !== undefined) dropped(node, kind)
    } else if (is(node, "AwaitExpression")) awaited(node)
  }

  const awaited = (node: Node): void => {
    const { expression } = node
    if (expression === undefined || !isCall(bare(expression))) return
    const kind = kindOf(expression)
    const type = typing.typeOf(expression)
    if (kind === undefined || type === undefined || typing.has(type, "then")) return
    tell(
      expression,
      `await does not run ${kind === "operation" ? "an operation" : "a generator"}: ${remedy(expression, kind)}`
    )
  }

  /** An expression that is asked whether it is true. */
  const condition = (expression: Node): void => {
    const node = bare(expression)
    if (!isCall(node)) return
    const kind = always(node)
    if (kind !== undefined) tell(node, `${the(kind)} is always true, as it is an object: ${remedy(node, kind)}`)
  }

  /** An expression that is made into a string, or compared with what is none of these. */
  const value = (expression: Node, what: string): void => {
    const node = bare(expression)
    if (!isCall(node)) return
    const kind = always(node)
    if (kind !== undefined) tell(node, `${the(kind)} is ${what}, not what it gives: ${remedy(node, kind)}`)
  }

  /** A function that is given to whoever drops what it returns. */
  const callback = (node: Node): void => {
    const arrow = is(node, "ArrowFunction") && !is(node.body, "Block")
    if (!arrow && node.asteriskToken === undefined) return
    const wanted = typing.wantedOf(node)
    if (wanted === undefined) return
    const results = typing.membersOf(wanted).flatMap((member) => typing.resultsOf(member))
    if (results.length === 0 || !results.every((result) => typing.isVoid(result))) return
    if (!arrow) {
      tell(
        node,
        "the generator function is called by who drops what it returns, so it does not run: make a tasklet of it"
      )
      return
    }
    const body = bare(node.body!)
    if (!isCall(body)) return
    const kind = kindOf(body)
    if (kind !== undefined) {
      tell(
        body,
        kind === "operation"
          ? "the operation is returned to who drops it, and does not happen: use for…of with yield*, or run it with Effect.runPromise"
          : "the generator is returned to who drops it, and its function does not run: use for…of with yield*, or make a tasklet of it"
      )
    }
  }

  const visit = (node: Node): void => {
    if (is(node, "ExpressionStatement")) statement(node.expression!)
    else if (is(node, "IfStatement", "WhileStatement", "DoStatement")) condition(node.expression!)
    else if (is(node, "ForStatement") && node.condition !== undefined) condition(node.condition)
    else if (is(node, "ConditionalExpression")) condition(node.condition!)
    else if (is(node, "PrefixUnaryExpression")) {
      if (node.operator === kinds["ExclamationToken"]) condition(node.operand!)
    } else if (is(node, "TemplateSpan")) value(node.expression!, "written")
    else if (is(node, "BinaryExpression")) binary(node)
    else if (is(node, "CallExpression") && printers.test(node.expression!.getText(file))) {
      for (const argument of node.arguments!) value(argument, "printed")
    } else if (is(node, "ArrowFunction", "FunctionExpression")) callback(node)
    else if (is(node, "AwaitExpression") && !is(node.parent, "ExpressionStatement")) awaited(node)
    node.forEachChild(visit)
  }

  const binary = ({ left, operatorToken, right }: Node): void => {
    if (is(operatorToken, "AmpersandAmpersandToken", "BarBarToken")) condition(left!)
    else if (
      is(
        operatorToken,
        "PlusToken",
        "EqualsEqualsToken",
        "EqualsEqualsEqualsToken",
        "ExclamationEqualsToken",
        "ExclamationEqualsEqualsToken",
        "LessThanToken",
        "GreaterThanToken",
        "LessThanEqualsToken",
        "GreaterThanEqualsToken"
      )
    ) {
      const what = is(operatorToken, "PlusToken") ? "written" : "compared"
      if (kindOf(right!) === undefined) value(left!, what)
      if (kindOf(left!) === undefined) value(right!, what)
    }
  }

  visit(file)
  return found
}

const the = (kind: Kind): string => kind === "operation" ? "the operation" : "the generator"

const takers = new Set(["pop", "shift"])

/** What writes what it is given. */
const printers =
  /^(?:console\.(?:log|info|warn|error|debug)|String|Number|Boolean|JSON\.stringify|parseInt|parseFloat)$/
