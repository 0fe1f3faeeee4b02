// Package airgen holds engines that run AIR against each other: it makes random programs for a few
// peers, delivers their data in random order, and compares what the engines answer.
//
//	programs    Generate: all instructions, biased to be valid and to make merges that matter
//	engines     Cold and Retained (ours), npm (package test/interop/avm, in tests with the tag interop)
//	deliveries  Simulate: lost, late and repeated messages, results one by one or together,
//	            results that are errors or no JSON, several arrivals in one step
//	failures    a Case, which Shrink makes small; a Recording adds what the reference answered to it
//
// Everything follows from one seed. Two ways of comparing:
//
//   - Lockstep: every engine lives in a world of its own, which goes on with its own data. The same
//     things happen in all worlds and everything must look the same.
//   - Mixed: one world. Every engine runs every step on the same bytes, and a random one's data is
//     what goes on. So each has to read what any other wrote.
//
// The tests run a few hundred cases. For a search, choose seeds, time, and where to keep what is
// found:
//
//	go test -tags interop -run NPM -seed 1000000 -for 10m -keep /tmp/found ./interpreter/internal/airgen
//
// A file of what was found is JSON lines; packed and put behind testdata/found.jsonl.gz (files of
// gzip may be joined) they are held from then on, with and without the published interpreter.
package airgen
