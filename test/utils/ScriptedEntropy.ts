import * as Effect from "effect/Effect"
import { Entropy } from "../../src/domain/Entropy.js"

/** Entropy that gives out `draws` in their order; a draw too many, or of another length, is a defect. */
const scripted = (...draws: ReadonlyArray<Uint8Array>): Entropy["Type"] => {
  let at = 0
  return {
    bytes: (length) => {
      const draw = draws[at]
      at += 1
      if (draw?.length !== length) throw new Error(`draw ${at} asks for ${length} bytes, scripted: ${draw?.length}`)
      return draw
    }
  }
}

/** Runs an effect on scripted entropy. */
export const withEntropy = (...draws: ReadonlyArray<Uint8Array>) => Effect.provideService(Entropy, scripted(...draws))
