/**
 * A process of the simulated world: fibers with a scheduler, a clock, entropy and chance of their own. It can be killed
 * between any two steps, and then nothing of it ever runs again: no fiber, no timer, no finalizer.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Scheduler from "effect/Scheduler"
import { Entropy } from "../../src/domain/Entropy.js"
import { EventLoop } from "../../src/domain/EventLoop.js"
import type { Dice } from "./Dice.js"
import type { Timer, World } from "./World.js"

/** When a run begins, by a clock that is right: 2024-01-01, in ms since 1970. */
const epoch = 1_704_067_200_000

/** Operations that yielding itself takes, after which the fiber goes on: with fewer it would yield in the middle of that. */
const toYield = 16

/** Spans and metrics cost time and show nothing here. */
const base = Runtime.defaultRuntime.pipe(
  Runtime.disableRuntimeFlag(RuntimeFlags.RuntimeMetrics),
  Runtime.setFiberRef(FiberRef.currentTracerEnabled, false)
)

interface Task {
  readonly run: Scheduler.Task
  /** Nothing else of this process comes in between, as when one callback does it all. */
  readonly isWhole: boolean
}

export class Process {
  private tasks: Array<Task> = []
  private at = 0
  private isStarting = false
  private readonly timers = new Set<Timer>()
  private state: "running" | "frozen" | "dead" = "running"
  /** Steps until it is killed. */
  private left = Number.POSITIVE_INFINITY
  /** Operations that the fiber in turn may make before it has to let others in. */
  private budget = 0
  private readonly dice: Dice
  private readonly runtime: Runtime.Runtime<never>
  /** Done when it is killed, in this order. */
  private readonly endings = new Set<() => void>()

  constructor(
    readonly world: World,
    readonly name: string,
    options?: {
      /** How far its clock is off, in ms. */
      readonly skew?: number
      /** Most operations that a fiber makes at a time: with 1 everything mixes with everything. */
      readonly maxBudget?: number
    }
  ) {
    this.dice = world.dice.fork()
    this.maxBudget = options?.maxBudget ?? 2048
    const entropy = world.dice.fork()
    const services = Context.mergeAll(
      DefaultServices.liveServices,
      Context.make(Clock.Clock, this.clock(options?.skew ?? 0)),
      Context.make(Random.Random, Random.make(world.dice.word()))
    )
    const runtime = base.pipe(
      Runtime.setFiberRef(DefaultServices.currentServices, services),
      Runtime.setFiberRef(FiberRef.currentLoggers, HashSet.make(this.logger)),
      Runtime.setFiberRef(FiberRef.currentMinimumLogLevel, LogLevel.Debug)
    )
    this.runtime = Runtime.make({
      ...runtime,
      context: Context.make(Entropy, { bytes: (length) => entropy.bytes(length) }).pipe(
        Context.add(EventLoop, {
          turn: this.sleep(() => 0),
          // As long as it takes until those are let in who came before.
          aside: this.sleep(() => this.dice.between(0, 2))
        })
      )
    })
    world.add(this)
  }

  private readonly maxBudget: number

  get isAlive(): boolean {
    return this.state !== "dead"
  }

  /** Whether there is a task to {@link step}. */
  get isReady(): boolean {
    return this.state === "running" && this.at < this.tasks.length
  }

  /**
   * Starts a fiber, which comes as far as its first wait before any other of the process runs; `done` is told how it
   * ends, unless the process is killed first. A defect in it is a problem of the run.
   */
  run<A, E>(effect: Effect.Effect<A, E>, done?: (exit: Exit.Exit<A, E>) => void): Fiber.RuntimeFiber<A, E> {
    this.isStarting = true
    const fiber = Runtime.runFork(this.runtime, effect, { scheduler: this.scheduler, immediate: false })
    this.isStarting = false
    fiber.addObserver((exit) => {
      if (exit._tag === "Failure" && Cause.isDie(exit.cause)) this.defect(exit.cause)
      done?.(exit)
    })
    return fiber
  }

  /** Asks a fiber of this process to end, with its finalizers. */
  interrupt(fiber: Fiber.RuntimeFiber<unknown, unknown>): void {
    fiber.unsafeInterruptAsFork(FiberId.none)
  }

  /** Runs `task` after `delay` ms, if the process lives. */
  after(delay: number, task: () => void): Timer {
    const timer = this.world.after(delay, () => {
      this.timers.delete(timer)
      task()
    })
    this.timers.add(timer)
    return timer
  }

  cancel(timer: Timer): void {
    timer.canceled = true
    this.timers.delete(timer)
  }

  /** Runs `ending` when it is killed: what it had hold of is cut before it is gone. Returns how to take that back. */
  onKill(ending: () => void): () => void {
    this.endings.add(ending)
    return () => this.endings.delete(ending)
  }

  /** Stops it for `time` ms, as a machine does that is short of memory: the world goes on. */
  freeze(time: number): void {
    if (this.state !== "running") return
    this.state = "frozen"
    this.world.note(`${this.name} stands still`)
    this.after(time, () => {
      this.state = "running"
    })
  }

  /** Ends it between two steps. Nothing of it runs after this. */
  kill(): void {
    if (this.state === "dead") return
    this.world.note(`${this.name} is killed`)
    for (const ending of this.endings) ending()
    this.state = "dead"
    this.tasks = []
    for (const timer of this.timers) timer.canceled = true
    this.timers.clear()
    this.world.remove(this)
  }

  /** Kills it after `steps` more steps. */
  killIn(steps: number): void {
    this.left = steps
  }

  /** Runs the next task. */
  step(): void {
    const task = this.tasks[this.at]
    if (task === undefined) return
    if (this.left === 0) {
      this.kill()
      return
    }
    this.left -= 1
    this.at += 1
    if (this.at === this.tasks.length) {
      this.tasks = []
      this.at = 0
    }
    this.budget = task.isWhole ? Number.POSITIVE_INFINITY : toYield + this.dice.scale(1, this.maxBudget)
    task.run()
  }

  private readonly scheduler: Scheduler.Scheduler = {
    scheduleTask: (task) => {
      if (this.state !== "dead") this.tasks.push({ run: task, isWhole: this.isStarting })
    },
    shouldYield: (fiber) => (fiber.currentOpCount > this.budget ? 0 : false)
  }

  private readonly logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    this.world.note(`${this.name} logs ${logLevel.label}: ${String(message)}`)
    if (Cause.isDie(cause)) this.defect(cause)
  })

  private defect(cause: Cause.Cause<unknown>): void {
    this.world.problem(`${this.name} has a defect: ${Cause.pretty(cause)}`)
  }

  private clock(skew: number): Clock.Clock {
    const millis = () => Math.floor(epoch + skew + this.world.now)
    const nanos = () => BigInt(Math.floor((epoch + skew + this.world.now) * 1000)) * 1000n
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      currentTimeMillis: Effect.sync(millis),
      unsafeCurrentTimeNanos: nanos,
      currentTimeNanos: Effect.sync(nanos),
      sleep: (duration) => this.sleep(() => Duration.toMillis(duration))
    }
  }

  /** Waits for so many ms of the world's time. */
  private sleep(delay: () => number): Effect.Effect<void> {
    return Effect.async((resume) => {
      const timer = this.after(delay(), () => resume(Effect.void))
      return Effect.sync(() => this.cancel(timer))
    })
  }
}
