# SPDX-License-Identifier: Apache-2.0
# What goes with pintlectl: `kubectl pintle`, the manual page and completion, all printed by the program itself.

set(with ${PROJECT_BINARY_DIR}/pintlectl-files)
file(MAKE_DIRECTORY ${with})
add_custom_command(TARGET pintlectl POST_BUILD VERBATIM
    COMMAND pintlectl docs man > ${with}/pintlectl.1
    COMMAND pintlectl completion bash > ${with}/pintlectl
    COMMAND pintlectl completion zsh > ${with}/_pintlectl
    COMMAND pintlectl completion fish > ${with}/pintlectl.fish)
foreach(name kubectl-pintle kubectl_complete-pintle)
    file(WRITE ${with}/${name}.1 ".so man1/pintlectl.1\n")
endforeach()
file(CREATE_LINK pintlectl ${PROJECT_BINARY_DIR}/kubectl-pintle SYMBOLIC)

install(FILES ${PROJECT_BINARY_DIR}/kubectl-pintle DESTINATION ${CMAKE_INSTALL_BINDIR})
install(PROGRAMS ${PROJECT_SOURCE_DIR}/cli/kubectl_complete-pintle DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${with}/pintlectl.1 ${with}/kubectl-pintle.1 ${with}/kubectl_complete-pintle.1
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${with}/pintlectl DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${with}/_pintlectl DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${with}/pintlectl.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
