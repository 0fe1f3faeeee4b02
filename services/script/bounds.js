// Bounds of the native constructors that allocate by a number. They become proxies, also where
// prototypes name them; what they had before cannot be reached any more.
(function (maxBytes, maxElements, maxSource, maxDigits) {
  "use strict";
  const { apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const { isArray } = Array, { isView } = ArrayBuffer;
  const Range = RangeError, ProxyOf = Proxy, text = String, iterator = Symbol.iterator;
  const toString = (v) => apply(objectToString, v, []);
  const objectToString = Object.prototype.toString;
  const symbolHasInstance = Symbol.hasInstance, hasInstance = Function.prototype[symbolHasInstance];
  const BigIntOf = BigInt, bigText = BigInt.prototype.toString;
  const bufferLength = getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get;

  function limit(what, n, most) {
    if (n > most) throw new Range(what + " of " + n + " is too large: at most " + most + " is allowed");
  }

  // wrap lets check see, and change, the arguments of a function before it runs.
  function wrap(holder, name, check) {
    const native = holder[name];
    const handler = {
      __proto__: null, // else Object.prototype.get would be shown the native function
      apply(f, self, args) {
        check(args);
        return apply(f, self, args);
      },
      construct(f, args, target) {
        check(args);
        return construct(f, args, target === wrapped ? f : target);
      },
    };
    const wrapped = new ProxyOf(native, handler);
    defineProperty(holder, name, { __proto__: null, value: wrapped, writable: true, enumerable: false, configurable: true });
    // goja's instanceof does not know proxies.
    defineProperty(native, symbolHasInstance, { __proto__: null, value: function (v) { return apply(hasInstance, this === wrapped ? native : this, [v]); } });
    const prototype = native.prototype;
    if (prototype && getOwnPropertyDescriptor(prototype, "constructor")?.value === native) {
      defineProperty(prototype, "constructor", { __proto__: null, value: wrapped, writable: true, enumerable: false, configurable: true });
    }
  }

  function isBuffer(v) {
    try {
      apply(bufferLength, v, []);
      return true;
    } catch (e) {
      return false;
    }
  }

  wrap(globalThis, "ArrayBuffer", (args) => {
    if (args.length > 0) {
      const n = +args[0]; // once: valueOf may give another number next time
      limit("a buffer", n, maxBytes);
      args[0] = n;
    }
  });

  for (const name of ["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
    "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"]) {
    const native = globalThis[name];
    if (native === undefined) continue;
    const size = native.BYTES_PER_ELEMENT;
    wrap(globalThis, name, (args) => {
      const from = args[0];
      if (args.length === 0 || isView(from) || isBuffer(from)) return;
      if (from === null || typeof from !== "object" && typeof from !== "function") {
        const n = +from;
        limit("a buffer", n * size, maxBytes);
        args[0] = n;
        return;
      }
      // An array, or what looks like one, may tell another length when it is asked again.
      if (isArray(from)) limit("a buffer", from.length * size, maxBytes);
      const copy = [];
      if (from[iterator] !== undefined && from[iterator] !== null) {
        for (const x of from) {
          limit("a buffer", (copy.length + 1) * size, maxBytes);
          defineProperty(copy, copy.length, { __proto__: null, value: x, writable: true, enumerable: true, configurable: true });
        }
      } else {
        const n = +from.length;
        limit("a buffer", n * size, maxBytes);
        for (let i = 0; i < n; i++) {
          defineProperty(copy, i, { __proto__: null, value: from[i], writable: true, enumerable: true, configurable: true });
        }
      }
      args[0] = copy;
    });
  }

  wrap(globalThis, "Array", (args) => {
    if (args.length === 1 && typeof args[0] === "number") limit("an array", args[0], maxElements);
  });

  // Text that is compiled: the parser recurses on a stack whose end is the end of the process.
  function source(args) {
    let length = 0;
    for (let i = 0; i < args.length; i++) {
      const s = text(args[i]);
      length += s.length;
      limit("code", length, maxSource);
      args[i] = s;
    }
  }
  wrap(globalThis, "Function", source);
  for (const f of [async function () {}, function* () {}]) wrap(getPrototypeOf(f), "constructor", source);
  wrap(globalThis, "eval", (args) => {
    if (typeof args[0] === "string") limit("code", args[0].length, maxSource);
  });
  wrap(globalThis, "RegExp", (args) => {
    if (typeof args[0] !== "object") args[0] = args[0] === undefined ? args[0] : text(args[0]);
    else if (toString(args[0]) !== "[object RegExp]") args[0] = text(args[0]);
    if (typeof args[0] === "string") limit("a regular expression", args[0].length, maxSource);
  });

  wrap(globalThis, "BigInt", (args) => {
    if (typeof args[0] === "object" && args[0] !== null) args[0] = text(args[0]);
    if (typeof args[0] === "string") limit("a BigInt", args[0].length, maxDigits);
  });
  for (const name of ["asIntN", "asUintN"]) {
    wrap(BigInt, name, (args) => {
      args[0] = +args[0];
      limit("a BigInt", args[0], maxDigits);
    });
  }

  // The operators of files with BigInts, see bigint.go. numeric coerces once, as the operators do.
  const numeric = (x) => -(-x);
  const operators = {
    __proto__: null,
    "<<": (a, b) => {
      a = numeric(a);
      b = numeric(b);
      if (typeof b === "bigint") limit("a shift", b, maxDigits);
      return a << b;
    },
    ">>": (a, b) => {
      a = numeric(a);
      b = numeric(b);
      if (typeof b === "bigint") limit("a shift", -b, maxDigits);
      return a >> b;
    },
    "**": (a, b) => {
      a = numeric(a);
      b = numeric(b);
      if (typeof a === "bigint" && typeof b === "bigint" && (a > 1n || a < -1n)) {
        limit("a power", b, maxDigits);
        limit("a power", b * BigIntOf(apply(bigText, a, [16]).length) * 4n, maxDigits * 4);
      }
      return a ** b;
    },
  };
  for (const name in operators) {
    defineProperty(globalThis, "\0" + name, { __proto__: null, value: operators[name] });
  }
});
