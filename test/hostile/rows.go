package main

import (
	"embed"
	"slices"
)

//go:embed testdata
var cases embed.FS

// Rows are all rows, those with a known fault marked.
func Rows() []Row {
	rows := tables()
	for i := range rows {
		rows[i].Pending = pending[rows[i].Name]
	}
	return rows
}

func tables() []Row {
	return slices.Concat(processorRows(), numberRows(), memoryRows(), dataRows(), frameRows(), quotaRows(), serviceRows(),
		endpointRows(), diskRows(), clientRows())
}
