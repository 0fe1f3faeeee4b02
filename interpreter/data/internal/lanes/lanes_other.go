//go:build !amd64

package lanes

const available = false

func compress(*state) { panic("lanes: there are none") }
