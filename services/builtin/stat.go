package builtin

import (
	"context"
	"fmt"
	"time"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

var statFunctions = []Function{
	{
		Service: "stat", Name: "service_memory", Args: "service_id: string", Result: "[]ModuleMemory",
		Doc:    "Tells the memory of each wasm module of a service (id or alias); none for services of another kind.",
		Errors: []string{serviceNotFound},
		run: func(h *host, _ context.Context, c *call) (value.Value, error) {
			_, err := h.lookup(c, c.str(0))
			return value.EmptyArray, err
		},
	},
	{
		Service: "stat", Name: "service_stat", Args: "service_id: string", Result: "ServiceStats",
		Doc:    "Counts the calls of a service (id or alias) and of each of its functions, with the times of the last 5.",
		Errors: []string{serviceNotFound},
		run:    statService,
	},
}

func statService(h *host, _ context.Context, c *call) (value.Value, error) {
	info, err := h.lookup(c, c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	total, functions, _ := h.registry.ServiceStats(c.HostPeerID, info.ID)
	if len(functions) == 0 {
		text := fmt.Sprintf("No stats were collected for the `%s` service", services.Cut(c.str(0)))
		return object("status", value.False, "error", value.String(text), "result", value.EmptyArray), nil
	}
	byFunction := make([]value.Value, len(functions))
	for i, f := range functions {
		byFunction[i] = object("name", value.String(f.Name), "stats", stats(f))
	}
	all := object("total_stats", stats(total), "functions_stats", value.Array(byFunction))
	return object("status", value.True, "error", value.EmptyString, "result", value.Array([]value.Value{all})), nil
}

// stats shows no memory: only wasm services have a memory of their own.
func stats(f services.FunctionStats) value.Value {
	times, memory := make([]float64, len(f.Times)), make([]float64, len(f.Times))
	for i, t := range f.Times {
		times[i] = t.Seconds()
	}
	timestamps := make([]value.Value, len(f.Timestamps))
	for i, ms := range f.Timestamps {
		timestamps[i] = value.Uint(ms)
	}
	return object(
		"success_req_count", value.Uint(f.Success),
		"failed_req_count", value.Uint(f.Failure),
		"memory_deltas_bytes", numbers(memory, 0, 0),
		"call_time_sec", numbers(times, f.Total, f.Success),
		"timestamps", value.Array(timestamps),
	)
}

func numbers(series []float64, total time.Duration, count uint64) value.Value {
	vs := make([]value.Value, len(series))
	for i, f := range series {
		vs[i] = value.Float(f)
	}
	avg := 0.0
	if count > 0 {
		avg = total.Seconds() / float64(count)
	}
	return object("series", value.Array(vs), "total", value.Float(total.Seconds()), "avg", value.Float(avg))
}
