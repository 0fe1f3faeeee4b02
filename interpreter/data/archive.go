package data

// The archive is a tree of fixed-size records that point at each other with relative offsets,
// written children first: the root is its last 60 bytes. Integers are big-endian. The forms:
//
//	u32      4 bytes, aligned to 4, as are all records
//	rel      4: signed offset from where it stands
//	fat      8: rel, u32 length in bytes; to a run of bytes of any alignment
//	vec      8: rel, u32 count; to that many records
//	string   8: up to 7 bytes of text in place and its length in the last byte; or, with the top
//	         bit of the last byte set, u32 length and a little-endian offset from the start of the 8
//	shared   a fat to text or a rel to a record that others may point at too
//
//	root             60: trace vec 0, last call id 8, five stores (vec) 12 20 28 36 44, signatures vec 52
//	state            24: see readState
//	lore             12: value position 0, vec of sub-traces 4
//	sub-trace         8: begin 0, length 4
//	entry            12: key shared text 0, value shared record 8
//	value             8: fat
//	tetraplet        32: strings 0 8 16 24
//	canon element    28: value 0, tetraplet 8, provenance tag 16 and id 20 (all ids are shared texts)
//	canon result     16: tetraplet 0, vec of ids 8
//	service result   24: value 0, argument hash 8, tetraplet 16
//	signature        16: fat 0, fat 8
const (
	rootSize          = 60
	stateSize         = 24
	loreSize          = 12
	subTraceSize      = 8
	entrySize         = 12
	fatSize           = 8
	tetrapletSize     = 32
	canonElementSize  = 28
	canonResultSize   = 16
	serviceResultSize = 24
	signatureSize     = 16
	stringSize        = 8
	generationSize    = 4
)

// The tags of states and of what is nested in them, each the first byte of four.
const (
	tagPar = iota
	tagCall
	tagFold
	tagAp
	tagCanon
)

const (
	tagSent = iota
	tagExecuted
	tagFailed
)

const (
	tagScalar = iota
	tagStream
	tagUnused
)

const inlineLimit = 7 // bytes of text that fit into a string
