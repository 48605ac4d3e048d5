// kernel_tests GOLDEN [--digests]: tests every kernel of every table that this machine can run; GOLDEN is the
// file that tests/golden.py writes. --digests prints a hash of each kernel's results, which is the same for
// all instruction sets with fused multiply-add.
#include "../../cpp/kernels/dispatch.hpp"
#include "harness.hpp"

int main(int count, char** arguments) {
  const bool digests = count > 2 && std::strcmp(arguments[2], "--digests") == 0;
  const auto golden = nncore::test::read_golden(count > 1 ? arguments[1] : "");
  int passed = 0, failed = 0;
  for (const nncore::Kernels* table : nncore::available_kernels()) {
    nncore::test::Report report(*table);
    nncore::test::test_products(report, golden);
    nncore::test::test_activations(report, golden);
    nncore::test::test_elementwise(report, golden);
    nncore::test::test_rows(report, golden);
    nncore::test::test_images(report, golden);
    std::printf("%s: %d passed, %d failed\n", table->isa, report.passed, report.failed);
    for (const auto& [name, hash] : report.digests)
      if (digests)
        std::printf("digest %s %s %016llx\n", table->isa, name.c_str(),
                    static_cast<unsigned long long>(hash));
    passed += report.passed;
    failed += report.failed;
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
