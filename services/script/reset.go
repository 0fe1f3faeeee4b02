package script

import (
	"reflect"

	"github.com/dop251/goja"
)

// An interrupt unwinds the stack of Go, but not all of goja's: variables of the call stay on it until
// another call comes as deep, and an async function or a generator leaves a frame for good, above which
// no promise is settled any more. goja has no function for that, so its fields are set back to what
// they were before the first call. A fresh runtime instead would lose the state of the service to
// anybody who calls it with a short TTL.
var (
	vmFields = []string{
		"prg", "pc", "sp", "sb", "args", "stash", "privEnv", "newTarget", "result", "curAsyncRunner",
		"stack", "callStack", "iterStack", "refStack", "tryStack",
	}
	runtimeFields = []string{"jobQueue"}
)

// resetter returns a function that takes a runtime, which is new now, out of all that it ran. Nothing may
// run in it then.
func resetter(rt *goja.Runtime) func() {
	r := reflect.ValueOf(rt).Elem()
	fields := append(settable(r, runtimeFields), settable(r.FieldByName("vm").Elem(), vmFields)...)
	values := make([]reflect.Value, len(fields))
	for i, f := range fields {
		values[i] = reflect.New(f.Type()).Elem()
		values[i].Set(f)
	}
	return func() {
		for i, f := range fields {
			f.Set(values[i])
		}
	}
}

// settable finds fields by name, exported or not, such that they can be set. It panics where there is
// none: with another version of goja.
func settable(of reflect.Value, names []string) (fields []reflect.Value) {
	for _, name := range names {
		f := of.FieldByName(name)
		fields = append(fields, reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem())
	}
	return fields
}
