// Package air reads, checks and prints scripts in AIR, the language in which a particle
// says what is to be done where.
//
//	(seq
//	 (call %init_peer_id% ("op" "list") [] peers)
//	 (fold peers p
//	  (par
//	   (call p ("peer" "identify") [] $names)
//	   (next p)
//	  )
//	 )
//	)
//
// [Parse] takes exactly the scripts that AquaVM 0.62.0 takes, its oddities included, and
// refuses the others in the same words: two nodes must not disagree about a script. The
// one deliberate difference is a lens with letters outside of ASCII, on which AquaVM
// mostly crashes; it is refused here. Two bounds are our own and far above real scripts:
// [MaxDepth], and 2 GB of text. All that is found wrong is in one [*ParseError], which
// can render itself for machines (Error) and for people (Human).
//
// [Format] prints a tree in the layout of the reference compiler of Aqua, [FormatSource]
// does the same to a text and keeps its comments, [Text] is the short form of an
// instruction that error objects quote.
//
// [Parse] checks a script in one pass and remembers where its instructions stand;
// [Script.Instr] reads one of them when it is needed and [Script.Tree] all: peers execute
// a small part of most scripts, and building the tree took two thirds of the time.
//
// Scripts and trees share their strings with the source. A Script may be used by many
// at a time; nothing in it is changed after Parse. The parser keeps unfinished
// instructions on a stack of its own, so that depth costs it no recursion; printers and
// interpreters that recurse over a tree rely on MaxDepth.
package air
