package main

import (
	"errors"
	"fmt"
	"os"
)

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// hinted is an error with a hint for the user.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func hint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// usage is an error in the command line.
type usage struct{ error }

func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

// printed is an error that was printed already.
type printed struct{ error }

// report prints an error and returns the exit status.
func report(err error) int {
	var done printed
	if err == nil {
		return 0
	}
	if !errors.As(err, &done) {
		say("%s", indent(err.Error()))
		var h hinted
		if errors.As(err, &h) {
			fmt.Fprintln(os.Stderr, "hint: "+h.hint)
		}
	}
	var u usage
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailure
}
