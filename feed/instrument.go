package feed

import "fmt"

// Class says what kind of thing an instrument is.
type Class uint8

// The classes of instruments. Their numbers are part of the record codec.
const (
	Stock  Class = 1
	Crypto Class = 2
)

// String returns the class as it is written in files and messages.
func (c Class) String() string {
	switch c {
	case Stock:
		return "stock"
	case Crypto:
		return "crypto"
	default:
		return fmt.Sprintf("class(%d)", uint8(c))
	}
}

// ParseClass is the reverse of Class.String.
func ParseClass(s string) (Class, error) {
	switch s {
	case "stock":
		return Stock, nil
	case "crypto":
		return Crypto, nil
	default:
		return 0, fmt.Errorf("class %q must be stock or crypto", s)
	}
}

// Instrument is a traded thing and its rules.
type Instrument struct {
	Symbol   string // its name on the tape, see ValidSymbol
	Name     string // for people
	Class    Class
	Tick     Price // smallest price step, positive, at Decimals
	Lot      Size  // smallest size step, positive, at Scale
	Decimals uint8 // decimals of a price: Price 1 is 10^-Decimals
	Scale    uint8 // decimals of a size: Size 1 is 10^-Scale
}

// maxSymbol is the longest symbol that a tape takes, in bytes.
const maxSymbol = 24

// ValidSymbol reports whether s can be a symbol: 1 to 24 of A-Z, 0-9, '.', '-',
// '_' and '/'. Such names need no escaping in JSON, in a URL's query or in a list.
func ValidSymbol(s string) bool {
	if s == "" || len(s) > maxSymbol {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_', c == '/':
		default:
			return false
		}
	}
	return true
}
