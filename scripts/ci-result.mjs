// Prints the last line of .ci/run: how many tests passed and failed, out of the test runner's report. A step that
// failed counts as one even where no test did, and a run without a test is no success.
//
//   node scripts/ci-result.mjs REPORT STATUS
import { existsSync, readFileSync } from "node:fs"

const [report = "", status] = process.argv.slice(2)
const { numFailedTests = 0, numPassedTests = 0 } = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : {}
const failed = numFailedTests || (status === "0" && numPassedTests > 0 ? 0 : 1)

console.log(`${numPassedTests} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
