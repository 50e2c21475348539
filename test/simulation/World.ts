/**
 * The world of a simulation: its time, what is due when, and the processes in it. One loop runs everything, a step at a
 * time; nothing here knows a Promise, a timer or the clock on the wall.
 */
import { Dice } from "./Dice.js"
import type { Process } from "./Process.js"
import { Trace } from "./Trace.js"

/** Something that is due at a time. */
export interface Timer {
  readonly at: number
  readonly order: number
  readonly task: () => void
  canceled: boolean
}

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Timers by the time they are due: a binary heap. */
class Agenda {
  private readonly heap: Array<Timer> = []

  get first(): Timer | undefined {
    return this.heap[0]
  }

  add(timer: Timer): void {
    const { heap } = this
    let at = heap.push(timer) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || isBefore(parent, timer)) break
      heap[at] = parent
      at = above
    }
    heap[at] = timer
  }

  removeFirst(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      let child = heap[below]
      const right = heap[below + 1]
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        child = right
        below += 1
      }
      if (child === undefined || isBefore(last, child)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
  }
}

/** Steps after which a run is taken to go in circles. */
const maxSteps = 20_000_000

/**
 * Runs `body`, which is synchronous, where nobody can reach the real event loop: who tries breaks the replay, and is
 * found. The one exception is `Effect.never`, which keeps the event loop alive by an interval and needs none here.
 */
const apart = <A>(body: () => A): A => {
  const { setImmediate, setInterval, setTimeout } = globalThis
  const refuse = () => {
    throw new Error("the simulated world has no event loop: a service of the run must stand in for this")
  }
  Object.assign(globalThis, { setImmediate: refuse, setInterval: () => undefined, setTimeout: refuse })
  try {
    return body()
  } finally {
    Object.assign(globalThis, { setImmediate, setInterval, setTimeout })
  }
}

export class World {
  readonly dice: Dice
  /** Milliseconds since the run began; a fraction is as good a time as any. */
  now = 0
  readonly trace: Trace
  /** What must not happen in any run: a defect, a loop that never ends. */
  readonly problems: Array<string> = []
  private readonly agenda = new Agenda()
  private readonly processes = new Set<Process>()
  private order = 0
  /** Steps so far. */
  steps = 0

  constructor(seed: number, listen?: (line: string) => void) {
    this.dice = new Dice(seed)
    this.trace = new Trace(listen)
  }

  /** Runs `task` after `delay` ms. */
  after(delay: number, task: () => void): Timer {
    const timer: Timer = { at: this.now + Math.max(delay, 0), order: this.order++, task, canceled: false }
    this.agenda.add(timer)
    return timer
  }

  add(process: Process): void {
    this.processes.add(process)
  }

  remove(process: Process): void {
    this.processes.delete(process)
  }

  note(line: string): void {
    this.trace.add(this.now, line)
  }

  problem(line: string): void {
    this.note(`problem: ${line}`)
    this.problems.push(line)
  }

  /** Lets happen what happens, until `done` or for `limit` ms; true if `done` it is. */
  run(done: () => boolean, limit: number): boolean {
    return apart(() => this.loop(done, limit))
  }

  private loop(done: () => boolean, limit: number): boolean {
    const end = this.now + limit
    while (!done()) {
      if (this.now >= end) return false
      if (this.steps >= maxSteps) {
        this.problem("it goes in circles")
        return false
      }
      if (!this.step(end)) return done()
    }
    return true
  }

  /** One step: what is due, else a task of some process, else time passes. False when nothing is left to happen. */
  private step(end: number): boolean {
    this.steps += 1
    const { first } = this.agenda
    if (first !== undefined && first.at <= this.now) {
      this.agenda.removeFirst()
      if (!first.canceled) first.task()
      return true
    }
    const ready = Array.from(this.processes).filter((process) => process.isReady)
    if (ready.length > 0) {
      const process = ready.length === 1 ? ready[0] : this.dice.pick(ready)
      process?.step()
      // Computing takes time as well, so that what is due may come between any two steps.
      if (this.dice.chance(0.2)) this.now += this.dice.between(0, 0.2)
      return true
    }
    if (first === undefined) return false
    this.now = Math.min(Math.max(this.now, first.at), end)
    return true
  }
}
