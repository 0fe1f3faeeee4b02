// Each exported function of NAME.js is a function of service NAME, on every peer
// that serves this folder. foo is the slower one: bar wins the race.
exports.foo = async function () {
  await sleep(300)
  return "foo"
}
