/** Set-up of each test file: the seed that `PODFLEET_TEST_SEED` gives is fast-check's too. fast-check prints it when a property fails. */
if (process.env["PODFLEET_TEST_SEED"] !== undefined) {
  const { default: fc } = await import("fast-check");
  const { givenSeed } = await import("./seed.ts");
  if (givenSeed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: givenSeed });
}

export {};
