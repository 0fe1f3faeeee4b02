package disk

// modes: files have access lists instead, which a new file takes from its directory.
const modes = false
