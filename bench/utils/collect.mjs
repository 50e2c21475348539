// Loaded into servers that run on Node before anything else of theirs: on SIGUSR2 they let go of what is garbage, so that
// the memory they use can be told from the memory they have not given back yet. Needs --expose-gc.
process.on("SIGUSR2", () => {
  globalThis.gc()
  globalThis.gc()
})
