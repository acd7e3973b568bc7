//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// What the top bits of both halves of a block become when it is doubled.
DATA ·carries<>+0(SB)/8, $0x87
DATA ·carries<>+8(SB)/8, $1
GLOBL ·carries<>(SB), RODATA|NOPTR, $16

// ENCRYPT does the rounds of AES-128 on a block that has met round key 0.
#define ENCRYPT(B) \
	AESENC X1, B; AESENC X2, B; AESENC X3, B; AESENC X4, B; AESENC X5, B; \
	AESENC X6, B; AESENC X7, B; AESENC X8, B; AESENC X9, B; AESENCLAST X10, B

// func hash(p *prf, start *uint128, strings *string, n int, out *uint128)
TEXT ·hash(SB), NOSPLIT, $0-40
	CMPB  ·hasAES(SB), $0
	JNE   aes
	JMP   ·hashPortable(SB)

aes:
	MOVQ  p+0(FP), AX
	MOVQ  start+8(FP), BX
	MOVQ  strings+16(FP), R8
	MOVQ  n+24(FP), R9
	MOVQ  out+32(FP), R10
	MOVOU (prf_rounds+0)(AX), X0 // round keys
	MOVOU (prf_rounds+16)(AX), X1
	MOVOU (prf_rounds+32)(AX), X2
	MOVOU (prf_rounds+48)(AX), X3
	MOVOU (prf_rounds+64)(AX), X4
	MOVOU (prf_rounds+80)(AX), X5
	MOVOU (prf_rounds+96)(AX), X6
	MOVOU (prf_rounds+112)(AX), X7
	MOVOU (prf_rounds+128)(AX), X8
	MOVOU (prf_rounds+144)(AX), X9
	MOVOU (prf_rounds+160)(AX), X10

next: // X11 is the sum
	MOVQ  (R8), SI
	MOVQ  8(R8), CX
	MOVOU (BX), X11
	PXOR  X0, X11
	CMPQ  CX, $16
	JB    short
	JE    last
	MOVOU prf_offset(AX), X13

block: // more than 16 of the CX bytes from SI on are left
	MOVOU (SI), X12
	PXOR  X0, X12
	PXOR  X13, X12
	ENCRYPT(X12)
	PXOR  X12, X11
	ADDQ  $16, SI
	SUBQ  $16, CX
	CMPQ  CX, $16
	JBE   last

	PSHUFD $0x13, X13, X14 // double the offset: the top bits, each where it carries to
	PSRAL  $31, X14
	PAND   ·carries<>(SB), X14
	PADDQ  X13, X13
	PXOR   X14, X13
	JMP    block

last: // CX bytes are left, 1 to 16 of a string of at least 16
	MOVOU -16(SI)(CX*1), X12

finish: // X12 is the last block, CX how many bytes of it are new
	SHLQ  $4, CX
	MOVOU prf_tails(AX)(CX*1), X13
	PXOR  X12, X11
	PXOR  X13, X11
	ENCRYPT(X11)
	MOVOU X11, (R10)
	ADDQ  $16, R8
	ADDQ  $16, R10
	DECQ  R9
	JNZ   next
	RET

short: // the whole string is shorter than a block
	CMPQ   CX, $8
	JB     tiny
	MOVQ   (SI), X12
	MOVHPS -8(SI)(CX*1), X12
	JMP    finish

tiny:
	PXOR  X12, X12
	TESTQ CX, CX
	JZ    finish
	CMPQ  CX, $4
	JB    bytes
	MOVL  (SI), DX
	MOVL  -4(SI)(CX*1), DI
	SHLQ  $32, DI
	ORQ   DI, DX
	MOVQ  DX, X12
	JMP   finish

bytes: // the first, the middle and the last of up to 3
	MOVQ    CX, R11
	SHRQ    $1, R11
	MOVBLZX (SI), DX
	MOVBLZX (SI)(R11*1), DI
	SHLL    $8, DI
	ORL     DI, DX
	MOVBLZX -1(SI)(CX*1), DI
	SHLL    $16, DI
	ORL     DI, DX
	MOVQ    DX, X12
	JMP     finish
