package logs

import (
	"encoding/binary"
	"slices"
)

// What a spool keeps when it is made small stands in its head too, behind the journal, until that is done: the
// number of bytes (0 = it is done), then the bytes.
const (
	keptAt   = 128
	keptText = keptAt + 8
	keptMost = spoolHead - keptText
)

// shrink makes the spool small again once every output has everything but the beginning of a line. Under a
// flood that is the usual case: hardly ever does a batch end where a line does.
func (p *spool) shrink() {
	rest := p.waiting()
	if rest == 0 {
		p.empty()
		return
	}
	if rest > keptMost || slices.ContainsFunc(p.outputs, func(o *output) bool { return p.in-o.done != rest }) {
		return
	}
	head := make([]byte, keptText+rest) // with an empty journal
	binary.LittleEndian.PutUint64(head[keptAt:], uint64(rest))
	if _, err := p.file.ReadAt(head[keptText:], spoolHead+p.in-rest); err != nil {
		return
	}
	if _, err := p.file.WriteAt(head, 0); err != nil {
		return
	}
	p.keep(head[keptText:])
}

// keep leaves only these bytes in the spool. A kill before its end has the next daemon do it once more.
func (p *spool) keep(rest []byte) {
	_, err := p.file.WriteAt(rest, spoolHead)
	if err == nil {
		err = p.file.Truncate(spoolHead + int64(len(rest)))
	}
	if err == nil {
		p.in = int64(len(rest))
		for _, o := range p.outputs {
			o.done = 0
		}
	}
	_, _ = p.file.WriteAt(make([]byte, keptText-keptAt), keptAt) // written a moment ago, so it can be now
}

// kept returns what an earlier daemon was about to keep when it ended; nil = it was not about to.
func (p *spool) kept() []byte {
	head := make([]byte, spoolHead)
	if n, _ := p.file.ReadAt(head, 0); n < spoolHead {
		return nil
	}
	n := binary.LittleEndian.Uint64(head[keptAt:])
	if n > keptMost {
		return nil // not ours
	}
	return head[keptText : keptText+n]
}

// empty makes the spool small again once every output has everything. The journal
// goes with the bytes, by one call.
func (p *spool) empty() {
	if p.file.Truncate(0) == nil {
		p.in = 0
		for _, o := range p.outputs {
			o.done = 0
		}
	}
}

// park closes the spool of a stream that is idle and has nothing waiting.
func (p *spool) park() {
	if p.file == nil || p.waiting() > 0 {
		return
	}
	p.empty()
	_ = p.file.Close() // it is empty
	p.file = nil
}
