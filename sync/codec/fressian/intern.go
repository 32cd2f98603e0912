package fressian

// Limits of what a Reader keeps to share between values and inputs.
const (
	internStrings = 4096
	internLength  = 64 // bytes
)

// interns shares the short cached strings and the keywords that come up again
// and again, within an input and after Reset.
type interns struct {
	strings  map[string]any // boxed, so that returning one costs nothing
	keywords map[Keyword]any
}

func (t *interns) str(p []byte) any {
	if len(p) > internLength {
		return decodeUnits(p)
	}
	if s, ok := t.strings[string(p)]; ok {
		return s
	}
	if t.strings == nil || len(t.strings) >= internStrings {
		t.strings = map[string]any{}
	}
	s := any(decodeUnits(p))
	t.strings[string(p)] = s
	return s
}

func (t *interns) keyword(k Keyword) any {
	if len(k.NS)+len(k.Name) > 2*internLength {
		return k
	}
	if v, ok := t.keywords[k]; ok {
		return v
	}
	if t.keywords == nil || len(t.keywords) >= internStrings {
		t.keywords = map[Keyword]any{}
	}
	v := any(k)
	t.keywords[k] = v
	return v
}
