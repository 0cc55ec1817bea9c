// Package bench measures what the product adds to a request and to a connection: `make bench`.
//
// It owns no product code and judges nothing: the numbers depend on the machine, so they are reported and no test fails by them.
// What must hold everywhere (queries, calls, memory of the ownership map) is counted by tests beside the code.
//
// Its key idea: the side that is measured is a process of its own, so that the processor time and the memory of clients and of
// the upstream are not counted with it; and two sides are measured in alternating turns, so that what else the machine does
// meets both alike.
package bench
