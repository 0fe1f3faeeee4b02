// What a function threw, as {message: string} or {json: string}.
(function (stringify, string) {
  return function (thrown) {
    if (typeof thrown === "string") return { message: thrown };
    if (thrown !== null && typeof thrown === "object" && typeof thrown.message === "string") {
      return { message: thrown.message };
    }
    const json = stringify(thrown);
    return json === undefined ? { message: string(thrown) } : { json };
  };
})(JSON.stringify, String);
