#include "dispatch.hpp"

#include <atomic>
#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace nncore {

#if defined(NNCORE_HAVE_AVX512)
namespace avx512 {
extern const Kernels kernels;
}
#endif
#if defined(NNCORE_HAVE_AVX2)
namespace avx2 {
extern const Kernels kernels;
}
#endif
#if defined(NNCORE_HAVE_NEON)
namespace neon {
extern const Kernels kernels;
}
#endif
#if defined(NNCORE_HAVE_BASELINE)
namespace baseline {
extern const Kernels kernels;
}
#endif

namespace {

// Each test checks exactly the features that CMakeLists.txt enables for the table.
std::vector<const Kernels*> detect() {
  std::vector<const Kernels*> tables;
#if defined(NNCORE_HAVE_AVX512)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("fma"))
    tables.push_back(&avx512::kernels);
#endif
#if defined(NNCORE_HAVE_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&avx2::kernels);
#endif
#if defined(NNCORE_HAVE_NEON)
  tables.push_back(&neon::kernels);
#endif
#if defined(NNCORE_HAVE_BASELINE)
  tables.push_back(&baseline::kernels);
#endif
  return tables;
}

// Upper and lower case are the same; null if the table is not available.
const Kernels* find(std::string isa) {
  for (char& c : isa) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Kernels* table : available_kernels())
    if (isa == table->isa) return table;
  return nullptr;
}

std::string unavailable(const std::string& isa) {
  std::string text = "'" + isa + "' is not available on this machine; available:";
  for (const Kernels* table : available_kernels()) text += std::string(" ") + table->isa;
  return text;
}

const Kernels* initial() {
  const char* name = std::getenv("NNCORE_ISA");
  if (!name || !*name) return available_kernels().front();
  if (const Kernels* table = find(name)) return table;
  throw std::runtime_error("NNCORE_ISA: the instruction set " + unavailable(name));
}

std::atomic<const Kernels*>& active() {
  static std::atomic<const Kernels*> table{initial()};
  return table;
}

}  // namespace

const std::vector<const Kernels*>& available_kernels() {
  static const std::vector<const Kernels*> tables = detect();
  return tables;
}

const Kernels& active_kernels() { return *active(); }

void select_kernels(const std::string& isa) {
  const Kernels* table = find(isa);
  if (!table) throw std::invalid_argument("the instruction set " + unavailable(isa));
  active() = table;
}

}  // namespace nncore
