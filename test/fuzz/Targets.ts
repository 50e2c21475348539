/** All that reads what strangers write. */
import * as Frames from "./Frames.js"
import * as Framing from "./Framing.js"
import * as Handshakes from "./Handshakes.js"
import * as Pictures from "./Pictures.js"
import * as Seals from "./Seals.js"
import * as Secrets from "./Secrets.js"
import type { Target } from "./Target.js"

export const all: ReadonlyArray<Target> = [
  ...Framing.targets,
  ...Handshakes.targets,
  ...Frames.targets,
  ...Pictures.targets,
  ...Seals.targets,
  ...Secrets.targets
]
