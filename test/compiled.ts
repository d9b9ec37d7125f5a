/** What each file of tests begins with that is to run compiled: it would pass just as well if it did not. */
import { compiled } from "./gear.ts"

if (!compiled) throw new Error("these tests were not compiled")
