//go:build !windows

package disk

// modes tells that files have modes for owner, group and others.
const modes = true
