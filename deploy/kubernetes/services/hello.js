// Each exported function of NAME.js is a function of service NAME.
exports.hello = (name) => "Hello, " + name
