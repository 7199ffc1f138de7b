/* A PKCS#11 module that has a bad day: it forwards to another module and fails, hangs or is slow as it is told.
 *
 * It is told through a file that is mapped into memory, which also counts the calls; tests/support/badday.rs writes and
 * reads it. The file's layout is `struct control`, 64-bit numbers in the machine's byte order.
 *
 * It also watches its caller. C_Finalize while another call is inside, and a session used after the C_Finalize that ended
 * it, are counted and not forwarded: a real module may crash, or use another session of the same number.
 *
 * cc -shared -fPIC -DFORWARD='"/path/module.so"' -DCONTROL='"/path/control"' -o badday.so badday.c -ldl
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long word; /* CK_ULONG, and as wide as a pointer on every Linux */

enum { FUNCTIONS = 68, INITIALIZE = 0, FINALIZE = 1, GET_FUNCTION_LIST = 3, INIT_PIN = 10, SET_PIN = 11, OPEN_SESSION = 12, CLOSE_ALL_SESSIONS = 14, SIGN = 43, GENERATE_RANDOM = 64 };
enum { CKR_GENERAL_ERROR = 5, CKR_SESSION_HANDLE_INVALID = 0xb3 };

/* One function's orders. Those with a number of calls wear off; UINT64_MAX is for ever. */
struct orders {
	uint64_t calls;    /* how often it was called */
	uint64_t slow;     /* so many calls take that long */
	uint64_t micros;
	uint64_t failures; /* so many calls return this code and are not forwarded */
	uint64_t spoiled;  /* so many calls are forwarded and return this code all the same */
	uint64_t code;
};
struct control {
	uint64_t finalised_too_soon; /* C_Finalize while a call was inside, or a call during C_Finalize */
	uint64_t stale_sessions;     /* calls with a session of before the last C_Finalize */
	uint64_t signatures;         /* calls of C_Sign that did not just ask how long a signature is */
	struct orders functions[FUNCTIONS];
};

typedef word function(word, word, word, word, word, word, word, word);
struct list { unsigned char version[2]; function *functions[FUNCTIONS]; };

static struct control *control;
static struct list *real, list;
static uint64_t inside, finalising, epoch = 1;

static void sleep_for(uint64_t micros)
{
	struct timespec time = { micros / 1000000, micros % 1000000 * 1000 };
	while (nanosleep(&time, &time) != 0)
		;
}

/* Takes one call off the number, if there is one left. */
static int take(uint64_t *left)
{
	uint64_t found = __atomic_load_n(left, __ATOMIC_SEQ_CST);
	while (found != 0 && found != UINT64_MAX)
		if (__atomic_compare_exchange_n(left, &found, found - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return 1;
	return found != 0;
}

static void count(uint64_t *number)
{
	__atomic_add_fetch(number, 1, __ATOMIC_SEQ_CST);
}

/* Session handles carry the epoch above the module's own number. */
static int takes_session(int index)
{
	return index == INIT_PIN || index == SET_PIN ||
	       (index > OPEN_SESSION && index <= GENERATE_RANDOM && index != CLOSE_ALL_SESSIONS);
}

static word forward(int index, word a, word b, word c, word d, word e, word f, word g, word h)
{
	uint64_t now = __atomic_load_n(&epoch, __ATOMIC_SEQ_CST);
	if (takes_session(index)) {
		if (a >> 32 != now && a != 0) {
			count(&control->stale_sessions);
			return CKR_SESSION_HANDLE_INVALID;
		}
		a &= 0xffffffff;
	}
	word answer = real->functions[index](a, b, c, d, e, f, g, h);
	if (index == OPEN_SESSION && answer == 0)
		*(word *)e |= now << 32;
	if (index == FINALIZE && answer == 0)
		count(&epoch);
	return answer;
}

/* Every function is called with eight words: more than it takes do no harm on the machines this runs on. */
static word call(int index, word a, word b, word c, word d, word e, word f, word g, word h)
{
	struct orders *orders = &control->functions[index];
	count(&orders->calls);
	if (index == SIGN && d != 0)
		count(&control->signatures);
	uint64_t *mine = index == FINALIZE ? &finalising : &inside;
	uint64_t *others = index == FINALIZE ? &inside : &finalising;
	count(mine);
	word answer = CKR_GENERAL_ERROR;
	if (__atomic_load_n(others, __ATOMIC_SEQ_CST) != 0) {
		count(&control->finalised_too_soon);
		goto out;
	}
	if (take(&orders->slow))
		sleep_for(__atomic_load_n(&orders->micros, __ATOMIC_SEQ_CST));
	if (take(&orders->failures))
		answer = __atomic_load_n(&orders->code, __ATOMIC_SEQ_CST);
	else
		answer = forward(index, a, b, c, d, e, f, g, h);
	if (take(&orders->spoiled))
		answer = __atomic_load_n(&orders->code, __ATOMIC_SEQ_CST);
out:
	__atomic_sub_fetch(mine, 1, __ATOMIC_SEQ_CST);
	return answer;
}

#define F(n) static word f##n(word a, word b, word c, word d, word e, word f, word g, word h) { return call(n, a, b, c, d, e, f, g, h); }
F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15) F(16) F(17) F(18) F(19) F(20) F(21) F(22)
F(23) F(24) F(25) F(26) F(27) F(28) F(29) F(30) F(31) F(32) F(33) F(34) F(35) F(36) F(37) F(38) F(39) F(40) F(41) F(42) F(43)
F(44) F(45) F(46) F(47) F(48) F(49) F(50) F(51) F(52) F(53) F(54) F(55) F(56) F(57) F(58) F(59) F(60) F(61) F(62) F(63) F(64)
F(65) F(66) F(67)

static function *const all[FUNCTIONS] = {
	f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f24, f25,
	f26, f27, f28, f29, f30, f31, f32, f33, f34, f35, f36, f37, f38, f39, f40, f41, f42, f43, f44, f45, f46, f47, f48, f49,
	f50, f51, f52, f53, f54, f55, f56, f57, f58, f59, f60, f61, f62, f63, f64, f65, f66, f67,
};

static int load(void)
{
	int file = open(CONTROL, O_RDWR);
	control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	void *module = dlopen(FORWARD, RTLD_NOW | RTLD_LOCAL);
	word (*get)(struct list **) = module ? (word (*)(struct list **))dlsym(module, "C_GetFunctionList") : NULL;
	if (control == MAP_FAILED || get == NULL || get(&real) != 0)
		return 0;
	list = *real;
	for (int index = 0; index < FUNCTIONS; index++)
		if (index != GET_FUNCTION_LIST)
			list.functions[index] = all[index];
	return 1;
}

/* The binding asks once, when it loads the module. */
__attribute__((visibility("default"))) word C_GetFunctionList(struct list **found)
{
	if (real == NULL && !load())
		return CKR_GENERAL_ERROR;
	list.functions[GET_FUNCTION_LIST] = (function *)(void *)C_GetFunctionList;
	*found = &list;
	return 0;
}
