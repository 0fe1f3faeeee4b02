// Command hostile attacks a peer and judges what becomes of it.
//
// Each row of a table starts aquanode as a process of its own with a memory limit, lets honest
// clients call it, and attacks it over sockets. It then judges:
//
//	lost      honest calls without the right answer; none may be
//	p99       of honest calls in the attack: at most 5 times quiet, see [limitOf]
//	memory    the peak of resident memory: at most the limit of the row
//	reason    what the row expects in the journal
//	calm      the attack's work has to end: the process rests within the time of the row
//	after     resident memory with nothing live: at most 150 MB within a minute
//	log       bytes on standard error: at most 1 MB
//	stop      SIGTERM in the middle of the attack ends the process within its grace time and 2 s
//
// Other rows are scenes: starts over damaged files, and clients whose relay is hostile.
//
//	go run ./test/hostile                  all rows, as a table
//	go run ./test/hostile -run oom -v      some, with what was counted
//	go run ./test/hostile -format json     a line of JSON for each row
//	go test ./test/hostile                 a slice of the rows, without the comparison of times
//
// A row with a pending fault is run and reported; it does not fail the command. One that passes
// in spite of it does, so that no mark outlives its fault.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"text/tabwriter"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == honestVerb {
		if err := beHonest(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	pattern := flag.String("run", "", "`REGEXP` of the rows to run, by name or kind")
	binary := flag.String("binary", "", "`FILE` of the program under attack (default: built now)")
	format := flag.String("format", "text", "text or json")
	list := flag.Bool("list", false, "print the rows and run none")
	slice := flag.Bool("slice", false, "only the rows that go test runs")
	verbose := flag.Bool("v", false, "print what was counted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *pattern, *binary, *format, *list, *slice, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, pattern, binary, format string, list, slice, verbose bool) error {
	match, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	var chosen []Row
	for _, r := range Rows() {
		if (match.MatchString(r.Name) || match.MatchString(r.Kind)) && (!slice || r.Slice) {
			chosen = append(chosen, r)
		}
	}
	if list {
		return printRows(chosen)
	}
	b, err := NewBench(ctx, binary)
	if err != nil {
		return err
	}
	defer b.Close()
	failed := 0
	for _, r := range chosen {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v := b.Try(ctx, r, full)
		if v.Failed() {
			failed++
		}
		if format == "json" {
			json.NewEncoder(os.Stdout).Encode(v)
		} else {
			v.print(os.Stdout, verbose)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d rows failed", failed, len(chosen))
	}
	fmt.Fprintf(os.Stderr, "%d rows\n", len(chosen))
	return nil
}

func printRows(rows []Row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Name, r.Kind, r.Pending)
	}
	fmt.Fprintf(w, "%d rows\n", len(rows))
	return w.Flush()
}
