//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// ROUND is a round of AES with key K; ENCRYPT is AES-128.
#define ROUND(K, B) AESE K.B16, B.B16; AESMC B.B16, B.B16
#define ENCRYPT(B) \
	ROUND(V0, B); ROUND(V1, B); ROUND(V2, B); ROUND(V3, B); ROUND(V4, B); \
	ROUND(V5, B); ROUND(V6, B); ROUND(V7, B); ROUND(V8, B); \
	AESE V9.B16, B.B16; VEOR V10.B16, B.B16, B.B16

// func hash(p *prf, start *uint128, strings *string, n int, out *uint128)
TEXT ·hash(SB), NOSPLIT|NOFRAME, $0-40
	MOVBU ·hasAES(SB), R0
	CBNZ  R0, aes
	B     ·hashPortable(SB)

aes:
	MOVD p+0(FP), R0
	MOVD start+8(FP), R1
	MOVD strings+16(FP), R2
	MOVD n+24(FP), R3
	MOVD out+32(FP), R4
	ADD  $prf_offset, R0, R5
	ADD  $prf_tails, R0, R6
	ADD  $prf_rounds, R0, R0
	VLD1.P 64(R0), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1.P 64(R0), [V4.B16, V5.B16, V6.B16, V7.B16]
	VLD1 (R0), [V8.B16, V9.B16, V10.B16]
	VLD1 (R1), [V11.B16]

next: // V12 is the sum
	LDP  (R2), (R7, R8)
	VMOV V11.B16, V12.B16
	CMP  $16, R8
	BLO  short
	BEQ  last
	LDP  (R5), (R9, R10)

block: // more than 16 of the R8 bytes from R7 on are left
	VMOV R9, V14.D[0]
	VMOV R10, V14.D[1]
	VLD1.P 16(R7), [V13.B16]
	VEOR V14.B16, V13.B16, V13.B16
	ENCRYPT(V13)
	VEOR V13.B16, V12.B16, V12.B16
	SUB  $16, R8
	CMP  $16, R8
	BLS  last

	ASR  $63, R10, R11 // double the offset: the top bits, each where it carries to
	AND  $0x87, R11
	EXTR $63, R9, R10, R10
	EOR  R9<<1, R11, R9
	B    block

last: // R8 bytes are left, 1 to 16 of a string of at least 16
	ADD  R8, R7, R11
	SUB  $16, R11
	VLD1 (R11), [V13.B16]

finish: // V13 is the last block, R8 how many bytes of it are new
	ADD  R8<<4, R6, R11
	VLD1 (R11), [V14.B16]
	VEOR V13.B16, V12.B16, V12.B16
	VEOR V14.B16, V12.B16, V12.B16
	ENCRYPT(V12)
	VST1.P [V12.B16], 16(R4)
	ADD  $16, R2
	SUBS $1, R3
	BNE  next
	RET

short: // the whole string is shorter than a block
	VEOR V13.B16, V13.B16, V13.B16
	ADD  R8, R7, R11
	CMP  $8, R8
	BLO  tiny
	MOVD (R7), R9
	MOVD -8(R11), R10
	VMOV R9, V13.D[0]
	VMOV R10, V13.D[1]
	B    finish

tiny:
	CBZ   R8, finish
	CMP   $4, R8
	BLO   bytes
	MOVWU (R7), R9
	MOVWU -4(R11), R10
	ORR   R10<<32, R9
	VMOV  R9, V13.D[0]
	B     finish

bytes: // the first, the middle and the last of up to 3
	LSR   $1, R8, R12
	MOVBU (R7), R9
	MOVBU (R7)(R12), R10
	ORR   R10<<8, R9
	MOVBU -1(R11), R10
	ORR   R10<<16, R9
	VMOV  R9, V13.D[0]
	B     finish
