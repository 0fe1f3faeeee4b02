#include "textflag.h"

// BLAKE3's compression function on eight lanes. Y0-Y15 are the words of the state, each with the eight lanes; there is no
// register left, so Y15 makes room for a moment where a rotation needs a second one.

// The first half of the initial vector.
DATA iv<>+0(SB)/4, $0x6a09e667
DATA iv<>+4(SB)/4, $0xbb67ae85
DATA iv<>+8(SB)/4, $0x3c6ef372
DATA iv<>+12(SB)/4, $0xa54ff53a
GLOBL iv<>(SB), RODATA|NOPTR, $16

// Rotations by whole bytes, as shuffles.
DATA right16<>+0(SB)/8, $0x0504070601000302
DATA right16<>+8(SB)/8, $0x0d0c0f0e09080b0a
DATA right16<>+16(SB)/8, $0x0504070601000302
DATA right16<>+24(SB)/8, $0x0d0c0f0e09080b0a
GLOBL right16<>(SB), RODATA|NOPTR, $32

DATA right8<>+0(SB)/8, $0x0407060500030201
DATA right8<>+8(SB)/8, $0x0c0f0e0d080b0a09
DATA right8<>+16(SB)/8, $0x0407060500030201
DATA right8<>+24(SB)/8, $0x0c0f0e0d080b0a09
GLOBL right8<>(SB), RODATA|NOPTR, $32

// ROTATE turns x right, with Y15 in between.
#define ROTATE(x, right, left) \
	VPSRLD $right, x, Y15; \
	VPSLLD $left, x, x; \
	VPOR   Y15, x, x

// HALF is half of the mixing of four columns, or diagonals, at once: a += b + m; d = (d ^ a) >>> 16 or 8;
// c += d; b = (b ^ c) >>> 12 or 7. The words of a are Y0-Y3 always.
#define HALF(m0, m1, m2, m3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, turn, right, left) \
	VPADDD  (256+32*m0)(DI), Y0, Y0; \
	VPADDD  (256+32*m1)(DI), Y1, Y1; \
	VPADDD  (256+32*m2)(DI), Y2, Y2; \
	VPADDD  (256+32*m3)(DI), Y3, Y3; \
	VPADDD  b0, Y0, Y0; \
	VPADDD  b1, Y1, Y1; \
	VPADDD  b2, Y2, Y2; \
	VPADDD  b3, Y3, Y3; \
	VPXOR   Y0, d0, d0; \
	VPXOR   Y1, d1, d1; \
	VPXOR   Y2, d2, d2; \
	VPXOR   Y3, d3, d3; \
	VPSHUFB turn<>(SB), d0, d0; \
	VPSHUFB turn<>(SB), d1, d1; \
	VPSHUFB turn<>(SB), d2, d2; \
	VPSHUFB turn<>(SB), d3, d3; \
	VPADDD  d0, c0, c0; \
	VPADDD  d1, c1, c1; \
	VPADDD  d2, c2, c2; \
	VPADDD  d3, c3, c3; \
	VPXOR   c0, b0, b0; \
	VPXOR   c1, b1, b1; \
	VPXOR   c2, b2, b2; \
	VPXOR   c3, b3, b3; \
	VMOVDQU Y15, 0(SP); \
	ROTATE(b0, right, left); \
	ROTATE(b1, right, left); \
	ROTATE(b2, right, left); \
	ROTATE(b3, right, left); \
	VMOVDQU 0(SP), Y15

#define ROUND(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15) \
	HALF(m0, m2, m4, m6, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, right16, 12, 20); \
	HALF(m1, m3, m5, m7, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, right8, 7, 25); \
	HALF(m8, m10, m12, m14, Y5, Y6, Y7, Y4, Y10, Y11, Y8, Y9, Y15, Y12, Y13, Y14, right16, 12, 20); \
	HALF(m9, m11, m13, m15, Y5, Y6, Y7, Y4, Y10, Y11, Y8, Y9, Y15, Y12, Y13, Y14, right8, 7, 25)

#define FINISH(word, low, high) \
	VPXOR   high, low, low; \
	VMOVDQU low, (32*word)(DI)

// func compress(s *state)
TEXT ·compress(SB), NOSPLIT, $32-8
	MOVQ         s+0(FP), DI
	VMOVDQU      0(DI), Y0
	VMOVDQU      32(DI), Y1
	VMOVDQU      64(DI), Y2
	VMOVDQU      96(DI), Y3
	VMOVDQU      128(DI), Y4
	VMOVDQU      160(DI), Y5
	VMOVDQU      192(DI), Y6
	VMOVDQU      224(DI), Y7
	VPBROADCASTD iv<>+0(SB), Y8
	VPBROADCASTD iv<>+4(SB), Y9
	VPBROADCASTD iv<>+8(SB), Y10
	VPBROADCASTD iv<>+12(SB), Y11
	VPXOR        Y12, Y12, Y12          // the counter of chunks is 0
	VPXOR        Y13, Y13, Y13
	VMOVDQU      768(DI), Y14           // length
	VMOVDQU      800(DI), Y15           // flags

	ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
	ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1)
	ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6)
	ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4)
	ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7)
	ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)

	FINISH(0, Y0, Y8)
	FINISH(1, Y1, Y9)
	FINISH(2, Y2, Y10)
	FINISH(3, Y3, Y11)
	FINISH(4, Y4, Y12)
	FINISH(5, Y5, Y13)
	FINISH(6, Y6, Y14)
	FINISH(7, Y7, Y15)
	VZEROUPPER
	RET
