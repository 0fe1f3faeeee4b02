// Keeps what the process says on standard error, where the client has its log. The Go test
// turns on the log of errors.
import { format } from "node:util";

export function watch() {
  const kept = [];
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (chunk, ...rest) => {
    kept.push(String(chunk));
    return write(chunk, ...rest);
  };
  process.on("warning", (w) => kept.push(format("%s\n", w)));
  return { text: () => kept.join(""), clear: () => kept.splice(0) };
}
