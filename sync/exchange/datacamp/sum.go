package datacamp

// polynomial is that of CRC-32 in gzip, its bits reversed.
const polynomial = 0xedb88320

// joinCRC is the CRC-32 of two texts, one behind the other, from those of each
// and the size of the second. It lets the parts of a chunk be made apart.
func joinCRC(a, b uint32, sizeOfB int64) uint32 { return times(a, power(8*sizeOfB)) ^ b }

// power is x to the n, as a polynomial over two elements modulo that of CRC-32.
func power(n int64) uint32 {
	p, square := uint32(1)<<31, uint32(1)<<30 // 1 and x
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = times(p, square)
		}
		square = times(square, square)
	}
	return p
}

// times multiplies two polynomials; bit 31 is the coefficient of 1.
func times(a, b uint32) (p uint32) {
	for bit := uint32(1) << 31; bit > 0; bit >>= 1 {
		if a&bit != 0 {
			p ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ polynomial
		} else {
			b >>= 1
		}
	}
	return p
}
