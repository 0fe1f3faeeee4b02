exports.baz = function (...values) {
  return "baz(" + values.join(", ") + ")"
}
