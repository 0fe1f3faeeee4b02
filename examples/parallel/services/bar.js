exports.bar = async function () {
  await sleep(200)
  return "bar"
}
