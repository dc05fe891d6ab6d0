package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// The layout of a bbolt file, version 2, in the machine's byte order. Offsets are within the
// structure that the name says; sizes in bytes.
const (
	pageHeader   = 16 // id u64, flags u16, count u16, overflow u32
	elemSize     = 16 // branch: pos, ksize u32, pgid u64; leaf: flags, pos, ksize, vsize u32; pos counts from the element
	bucketHeader = 16 // root pgid u64, sequence u64
	metaSize     = 64 // magic, version, page size, flags u32; root, sequence, free list, high water, txid, checksum u64

	branchFlag = 0x01
	leafFlag   = 0x02
	bucketElem = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	maxPageSize = 16 << 20
)

var order = binary.NativeEndian

// image is a file as bytes. bbolt itself trusts every page number and offset it
// reads and would fault or loop on a damaged one, so they are checked here first.
type image struct {
	data     []byte
	pageSize int
	seen     map[uint64]bool // pages met so far: each belongs to one place
}

// verify says whether every page that can be reached is where and what it should
// be, keys are in order, and every value fits its checksum.
func verify(data []byte) error {
	root, high, pageSize, err := newestMeta(data)
	if err != nil {
		return err
	}
	if high > uint64(len(data)/pageSize) {
		return damagedf("it is cut off: %d pages of %d bytes are missing", high-uint64(len(data)/pageSize), pageSize)
	}
	img := &image{data: data[:int(high)*pageSize], pageSize: pageSize, seen: map[uint64]bool{0: true, 1: true}}
	return img.bucket(root)
}

// newestMeta returns what the later of the two valid meta pages says. One may
// be invalid: a commit that was cut short leaves the other, as bbolt means it to.
func newestMeta(data []byte) (root, high uint64, pageSize int, err error) {
	var newest uint64
	for at := 0; at+pageHeader+metaSize <= len(data) && at <= maxPageSize; at = nextMeta(at) {
		m := data[at+pageHeader:][:metaSize]
		size := int(order.Uint32(m[8:]))
		if !validMeta(m) || (at != 0 && at != size) {
			continue
		}
		if txid := order.Uint64(m[48:]); pageSize == 0 || txid > newest {
			root, high, pageSize, newest = order.Uint64(m[16:]), order.Uint64(m[40:]), size, txid
		}
	}
	if pageSize == 0 {
		return 0, 0, 0, damagedf("it is not a database")
	}
	return root, high, pageSize, nil
}

// nextMeta walks the places where the second meta page can be: one page size in.
func nextMeta(at int) int { return max(1024, at*2) }

func validMeta(m []byte) bool {
	h := fnv.New64a()
	h.Write(m[:metaSize-8])
	size := order.Uint32(m[8:])
	return order.Uint32(m) == boltMagic && order.Uint32(m[4:]) == boltVersion &&
		order.Uint64(m[metaSize-8:]) == h.Sum64() &&
		size >= 1024 && size <= maxPageSize && size&(size-1) == 0
}

// bounds is where the next key must lie: after the greatest one so far, and not
// before the entry in the branch page that leads to it. Nil is no bound.
type bounds struct{ after, from []byte }

func (b bounds) admit(key []byte) bool {
	return (b.after == nil || bytes.Compare(key, b.after) > 0) && (b.from == nil || bytes.Compare(key, b.from) >= 0)
}

// bucket checks the tree of pages under a bucket's root.
func (img *image) bucket(root uint64) error {
	_, err := img.tree(root, bounds{})
	return err
}

// tree checks a page and what is below it, and returns the greatest key.
func (img *image) tree(id uint64, b bounds) ([]byte, error) {
	p, err := img.page(id)
	if err != nil {
		return nil, err
	}
	if order.Uint16(p[8:]) == leafFlag {
		return img.leaf(p, b)
	}
	return img.branch(p, b)
}

// page returns the bytes of a page with its overflow pages, and marks them as seen.
func (img *image) page(id uint64) ([]byte, error) {
	pages := uint64(len(img.data) / img.pageSize)
	if id >= pages {
		return nil, damagedf("page %d is outside", id)
	}
	p := img.data[int(id)*img.pageSize:]
	overflow := uint64(order.Uint32(p[12:]))
	flags := order.Uint16(p[8:])
	if order.Uint64(p) != id || (flags != leafFlag && flags != branchFlag) || id+overflow >= pages {
		return nil, damagedf("page %d is not what it should be", id)
	}
	for i := id; i <= id+overflow; i++ {
		if img.seen[i] {
			return nil, damagedf("page %d is used twice", i)
		}
		img.seen[i] = true
	}
	return p[:int(overflow+1)*img.pageSize], nil
}

func (img *image) branch(p []byte, b bounds) ([]byte, error) {
	for i := range int(order.Uint16(p[10:])) {
		e, err := element(p, i)
		if err != nil {
			return nil, err
		}
		key, err := slice(e, order.Uint32(e), order.Uint32(e[4:]))
		if err != nil {
			return nil, err
		}
		if !b.admit(key) {
			return nil, damagedf("page %d is out of order", order.Uint64(p))
		}
		if b.after, err = img.tree(order.Uint64(e[8:]), bounds{b.after, key}); err != nil {
			return nil, err
		}
	}
	if b.after == nil {
		return nil, damagedf("page %d is empty", order.Uint64(p))
	}
	return b.after, nil
}

func (img *image) leaf(p []byte, b bounds) ([]byte, error) {
	for i := range int(order.Uint16(p[10:])) {
		e, err := element(p, i)
		if err != nil {
			return nil, err
		}
		key, value, err := keyValue(e)
		if err != nil {
			return nil, err
		}
		if !b.admit(key) {
			return nil, damagedf("page %d is out of order", order.Uint64(p))
		}
		if err := img.value(order.Uint32(e), key, value); err != nil {
			return nil, err
		}
		b.after = key
	}
	return b.after, nil
}

// element returns the page from its i-th entry on.
func element(p []byte, i int) ([]byte, error) {
	at := pageHeader + i*elemSize
	if at+elemSize > len(p) {
		return nil, damagedf("page %d overflows", order.Uint64(p))
	}
	return p[at:], nil
}

// keyValue returns what a leaf's entry points to; the value follows the key.
func keyValue(e []byte) (key, value []byte, err error) {
	pos, ksize, vsize := order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
	if key, err = slice(e, pos, ksize); err != nil {
		return nil, nil, err
	}
	value, err = slice(e[int(pos)+int(ksize):], 0, vsize)
	return key, value, err
}

// value checks a leaf's value: a checksummed one, a nested bucket, or a nested
// bucket so small that its only page is within the value.
func (img *image) value(flags uint32, key, value []byte) error {
	switch {
	case flags == 0:
		_, err := unseal(key, value)
		return err
	case flags != bucketElem || len(value) < bucketHeader:
		return damagedf("bucket %q is not what it should be", key)
	case order.Uint64(value) != 0:
		return img.bucket(order.Uint64(value))
	case len(value) < bucketHeader+pageHeader || order.Uint16(value[bucketHeader+8:]) != leafFlag:
		return damagedf("bucket %q is not what it should be", key)
	}
	_, err := img.leaf(value[bucketHeader:], bounds{})
	return err
}

// slice returns b[pos:pos+size] when that is within b.
func slice(b []byte, pos, size uint32) ([]byte, error) {
	end := uint64(pos) + uint64(size)
	if end > uint64(len(b)) {
		return nil, damagedf("an entry is outside its page")
	}
	return b[pos:end:end], nil
}

func damagedf(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errDamaged)...)
}
