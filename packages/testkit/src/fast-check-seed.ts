/** Set-up of each test file: passes the seed of `PODFLEET_TEST_SEED` to fast-check. fast-check prints it when a property fails. */
if (process.env["PODFLEET_TEST_SEED"] !== undefined) {
  const { default: fc } = await import("fast-check");
  const { givenSeed } = await import("./seed.ts");
  if (givenSeed !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: givenSeed });
}

export {};
